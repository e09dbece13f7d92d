/** A request was answered, but not with success: what a row shows in place of figures. */
export class Refusal extends Error {
  constructor(url: string, status: number, text: string) {
    super(`${new URL(url).pathname} was answered ${status}: ${text.trim().slice(0, 300)}`);
    this.name = 'Refusal';
  }
}
