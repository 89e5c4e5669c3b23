"""What cOTA costs a board, measured on simulated boards against a lab, beside the bars and beside a plain updater."""
