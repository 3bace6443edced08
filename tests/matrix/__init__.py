"""Who may do what, over every route, method and role."""
