"""What has ended stays ended, under load: the short version of ``make finality``."""
