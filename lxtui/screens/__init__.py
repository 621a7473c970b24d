"""What fills the terminal: the main screen and its dialogs."""
