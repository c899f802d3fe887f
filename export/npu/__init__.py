"""NPUs: their chips, and graphs prepared for each of them; Qualcomm's (Hexagon HTP) also have an emulator on Linux."""
