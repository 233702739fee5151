// A click on a silhouette shows it large; a second one, or Escape, closes it.
"use strict";

for (const dialog of document.querySelectorAll("dialog.enlarged")) {
  for (const image of document.querySelectorAll(".views img")) {
    image.parentElement.addEventListener("click", () => {
      dialog.querySelector("img").src = image.src;
      dialog.querySelector("p").textContent = image.alt;
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", () => dialog.close());
}
