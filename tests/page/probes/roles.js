// Returns the roles of the table, its rows and their cells.
return [...document.querySelectorAll(".devices, .devices tr[data-id], .devices tr[data-id] > *")].map((one) => one.getAttribute("role"));
