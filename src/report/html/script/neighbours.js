// Steps from one rectangle to the next in a direction, without the DOM.
page.neighbours = (() => {
  const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  const middleOf = ({ x, y, width, height }) => [x + width / 2, y + height / 2];

  /** Returns the index of the rectangle to which an arrow key leads, or the present one if there is none. */
  const step = (rectangles, from, key) => {
    const [right, down] = DIRECTIONS[key];
    const [fromX, fromY] = middleOf(rectangles[from]);
    let [nearest, best] = [from, Infinity];
    for (const [at, rectangle] of rectangles.entries()) {
      const [x, y] = middleOf(rectangle);
      const ahead = (x - fromX) * right + (y - fromY) * down;
      const aside = Math.abs((x - fromX) * down) + Math.abs((y - fromY) * right);
      // A rectangle further ahead is nearer than one at the side.
      const distance = ahead + 2 * aside;
      if (ahead > 0 && distance < best) [nearest, best] = [at, distance];
    }
    return nearest;
  };

  const isArrow = (key) => Object.hasOwn(DIRECTIONS, key);

  return { step, isArrow };
})();
