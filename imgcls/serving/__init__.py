"""Pages that need a program behind them: served on this machine only, to whoever has the address with its token."""
