"""Ten thousand symbols' bars of one minute from the vendor to charts, and a history by REST."""
