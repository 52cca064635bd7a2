"""The tape's rules, pure: sessions, sale conditions, last prices; and order books."""
