"""Making an instance of an image: what is asked for, what can be chosen, how it is carried out."""
