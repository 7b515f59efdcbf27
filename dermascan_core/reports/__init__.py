"""A finished screening as something to keep: rows, JSON, CSV and a one-page card. Pure: no disk, no clock, no model."""
