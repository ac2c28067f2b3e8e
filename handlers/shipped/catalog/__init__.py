"""Products in stores: availability, prices, promotions, advertising."""
