"""iPhones, by Apple's `devicectl` or by `pymobiledevice3`, each a program of its own; and Macs."""
