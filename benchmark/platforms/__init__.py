"""What the systems of phones say of themselves, and this computer: nothing here knows a device of the table."""
