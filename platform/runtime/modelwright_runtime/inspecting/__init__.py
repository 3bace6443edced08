"""How models of each format are described in words; `modelwright_runtime.inspect` chooses among these."""
