"""One file per thing that happens: it decides with `dialer.domain` and writes with `dialer.store`."""
