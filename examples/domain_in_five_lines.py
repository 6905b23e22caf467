"""What NGN 2,000 buys: the rule that settles every purchase, used alone.

Run: python examples/domain_in_five_lines.py
"""

from decimal import Decimal

from nxt_domain.grids.tariffs import energy_sold

price_per_kwh = Decimal("287.50")
for amount in (Decimal(500), Decimal(2000), Decimal(10_000)):
    print(f"NGN {amount:>6} at NGN {price_per_kwh} a kWh buys {energy_sold(amount, price_per_kwh)} kWh")
