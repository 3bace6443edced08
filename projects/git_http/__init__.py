"""Git's smart HTTP protocol, so that an ordinary `git` clones, pulls and pushes a project."""
