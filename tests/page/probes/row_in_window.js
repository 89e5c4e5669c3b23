// Returns whether a row of the table is where the operator looks.
return [...document.querySelectorAll("tr[data-id]")].some((row) => {
  const { top } = row.getBoundingClientRect();
  return top > 0 && top < innerHeight;
});
