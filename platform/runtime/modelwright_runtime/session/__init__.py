"""A session: JupyterLab on a Git work tree, and beside it the agent that saves what is in the tree."""
