"""Work in the browser: sessions (JupyterLab on a branch of its own) and applications, behind a proxy of their own."""
