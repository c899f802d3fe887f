"""What PocketCLIP's passes gain on this computer: its exports and the converters' plain calls, timed side by side.

Times on a shared machine drift more than the differences that matter. Therefore each process loads all files of a
runtime and runs them in turn, forwards and backwards. Several processes run, and only ratios within a process are
compared.
"""
