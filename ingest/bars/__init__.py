"""Bars of stocks: built from trades, replaced by the vendor's, folded into larger ones. Pure."""
