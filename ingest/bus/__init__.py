"""Redis as the ingest uses it. Other packages of the ingest catch only ``BusError``."""
