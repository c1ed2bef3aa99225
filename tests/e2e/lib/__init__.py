"""What the end-to-end tests share: the daemon under test, its clients and servers."""
