"""How people come from the platform into a session or an application: a ticket for the proxy, and logins that count."""
