"""iPhones, through Apple's `devicectl` or through `pymobiledevice3`, and Macs."""
