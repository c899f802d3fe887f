"""What phones' systems and this computer report about themselves. Nothing here knows the device table."""
