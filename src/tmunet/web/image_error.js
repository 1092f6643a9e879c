/** An image that cannot be read; the message is for the person who chose it. */
export class ImageError extends Error {}
