"""One part of the program at a time: no kernel but where a text is loaded, no solver."""
