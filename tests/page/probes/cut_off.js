// Returns elements that hide some of what is in them at a side, but for texts that end with an ellipsis and say all elsewhere.
return [...document.querySelectorAll("main *, dialog, dialog *")].filter((one) => {
  const style = getComputedStyle(one);
  return one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 1 && style.overflowX !== "visible" && style.textOverflow !== "ellipsis" && one.tagName !== "INPUT";
}).map((one) => `${one.tagName} ${one.className} ${one.scrollWidth} > ${one.clientWidth}`);
