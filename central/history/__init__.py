"""History that lasts: roll-ups, the fleet at a glance every five minutes, and retention."""
