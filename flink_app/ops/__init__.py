"""Commands that package, deploy and operate the application. The job never imports them."""
