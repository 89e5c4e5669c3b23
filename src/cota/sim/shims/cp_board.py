"""`board`: the board's identity; a simulated board has no pins."""

import simboard as _board

board_id = _board.profile["board_id"]
