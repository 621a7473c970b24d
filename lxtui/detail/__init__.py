"""What the detail screens say of one instance or host, without a screen."""
