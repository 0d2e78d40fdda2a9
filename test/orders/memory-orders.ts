import { NO_ORDERS, type StandingOrders } from '../../src/orders/standing-orders.ts';
import type { OrdersStore } from '../../src/orders/standing-orders-client.ts';

/** The document of standing orders, in memory. */
export class MemoryOrders implements OrdersStore {
  orders: StandingOrders = NO_ORDERS;
  /** So many writes take effect, and their answers are lost: the change is applied again. */
  lostAnswers = 0;

  async read(): Promise<StandingOrders> {
    return this.orders;
  }

  recent(): Promise<StandingOrders> {
    return this.read();
  }

  async change(change: (orders: StandingOrders) => StandingOrders): Promise<StandingOrders> {
    this.orders = change(this.orders);
    if (this.lostAnswers > 0) {
      this.lostAnswers -= 1;
      return this.change(change);
    }
    return this.orders;
  }
}
