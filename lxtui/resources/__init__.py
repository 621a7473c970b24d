"""What a host has beside its instances, as tables: images, profiles, networks and so on."""
