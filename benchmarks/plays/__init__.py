"""What plays cost, and the gateway: ``make plays``."""
