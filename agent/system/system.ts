/** An address as an interface of this node has it. */
export interface InterfaceAddress {
  readonly address: string;
  readonly interface: string;
}

/** What the agent does to its node; everything goes through here. */
export interface System {
  /** The addresses of all interfaces. */
  addresses(): InterfaceAddress[];
  /**
   * The interface whose network an address is of, or by which the default route leads.
   * @throws {Error} when there is none
   */
  interfaceFor(address: string): Promise<string>;
  /** @throws {Error} with what the kernel said against it */
  addAddress(at: InterfaceAddress): Promise<void>;
  /** @throws {Error} with what the kernel said against it */
  removeAddress(at: InterfaceAddress): Promise<void>;
  /**
   * Tells the neighbours who has the address now.
   * @throws {Error} with what the kernel said against it
   */
  announce(at: InterfaceAddress): void;
}
