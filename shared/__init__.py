"""The kernel on which the gateway and every service stand; it holds no business words."""
