"""The pages that every signed-in person finds at the top, in their order."""

PAGES = (("/", "Fleet"), ("/nodes", "Nodes"), ("/rollouts", "Roll-outs"))
HISTORY = (("/lifecycle", "Lifecycle"), ("/system", "System"))
ADMIN = (("/audit", "Audit"), ("/users", "Users"))


def nav_items(is_admin: bool) -> tuple[tuple[str, str], ...]:
    """Addresses and labels; what one may not open is not shown."""
    return PAGES + HISTORY + (ADMIN if is_admin else ())
