"""Projects with user models of their own, and with users in more than one table."""
