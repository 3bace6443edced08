"""What people do with a project's files besides reading and writing one: names, versions, uploads, archives."""
