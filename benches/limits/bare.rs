//! The yardstick: actix-web with one route that answers so many bytes of headers, and nothing else.

use actix_web::{App, HttpResponse, HttpServer, web};

/// Serves on a free port, which it prints; `size` bytes of one header make its answer as long as the one compared.
pub fn serve(size: usize) {
    actix_web::rt::System::new()
        .block_on(async move {
            let padding = "x".repeat(size);
            let server = HttpServer::new(move || {
                let padding = padding.clone();
                App::new().route(
                    "/verify",
                    web::get().to(move || {
                        let response = HttpResponse::Ok().insert_header(("x-padding", padding.as_str())).finish();
                        async { response }
                    }),
                )
            })
            .workers(std::thread::available_parallelism().map_or(1, usize::from))
            .bind(("127.0.0.1", 0))
            .unwrap();
            println!("http://{}", server.addrs()[0]);
            server.run().await
        })
        .unwrap();
}
