"""The page: wiring in `app` and the `*_tab` modules, what is shown in `render*`, what a visitor has in `sessions`."""
