"""Long-running web applications of a project, behind the proxy of sessions."""
