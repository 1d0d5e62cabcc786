"""How a run is told: HTML, terminal, step summary, incident report."""
