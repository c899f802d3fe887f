"""What our passes buy on this computer: our exports against the converters' plain calls, timed side by side.

Times on one shared machine drift more than the differences that matter. So all files of a runtime are loaded into one
process and run in turn, there and back; several processes are started, and what is compared are the ratios
within each of them.
"""
