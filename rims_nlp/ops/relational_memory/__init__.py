"""The recurrence of the relational memory: naive.py has the equations, hoisted.py is what the layers run."""
