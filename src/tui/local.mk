# ascale-tui, the control room: wiring only.
