# CMK Autopilot by Terraform: the same template as by every other way in, with the same parameters (variables.tf.json, which
# `npm run infra` makes of it). The template fetches the package of a release (packageUri), and the app makes its own event
# subscriptions: nothing is left to be done after `terraform apply`.
#
# Terraform holds one deployment in its state, and not the resources: `terraform destroy` takes away the record of the
# deployment alone. docs/how-to/uninstall.md has the rest.

terraform {
  required_version = ">= 1.9"
  required_providers {
    azapi = {
      source  = "Azure/azapi"
      version = ">= 2.0.0, < 3.0.0"
    }
  }
}

variable "subscriptionId" {
  type        = string
  description = "Subscription of the app."
}

resource "azapi_resource" "deployment" {
  type      = "Microsoft.Resources/deployments@2024-03-01"
  parent_id = "/subscriptions/${var.subscriptionId}"
  # Azure refuses the name of a deployment that was used in another region before.
  name     = substr("cmk-${var.environmentName}-${lower(replace(var.location, " ", ""))}", 0, 64)
  location = var.location

  # What Azure says of the template and of its parameters is left to Azure.
  schema_validation_enabled = false
  # A deployment answers with more than was sent; what it made is read from its outputs.
  response_export_values = ["properties.outputs"]

  body = {
    properties = {
      mode     = "Incremental"
      template = jsondecode(file("${path.module}/../azuredeploy.json"))
      # What is not set is left to the defaults of the template.
      parameters = { for name, value in local.parameters : name => { value = value } if value != null }
    }
  }
}

output "deployment" {
  description = "Outputs of the template by name, each with its value: the address of the API, ids of what was made."
  value       = azapi_resource.deployment.output.properties.outputs
}
